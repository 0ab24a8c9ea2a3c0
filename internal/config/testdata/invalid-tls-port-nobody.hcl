session "edge-1" {
  address  = "192.0.2.1"
  tls_port = 21001
}
