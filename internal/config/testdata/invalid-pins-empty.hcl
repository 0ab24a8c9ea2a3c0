session "edge-1" {
  address   = "192.0.2.10"
  host_keys = []
}

gateway {
  port = 830
}
