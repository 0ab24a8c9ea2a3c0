callhome {
  tls_port = 4335
}

session "edge-1" {
  address      = "192.0.2.10"
  certificates = ["SHA256:9F:86"]
}

gateway {
  port = 830
}
