callhome {
  trust = "pinned"
}

session "edge-1" {
  address = "192.0.2.10"
}

gateway {
  port = 830
}
