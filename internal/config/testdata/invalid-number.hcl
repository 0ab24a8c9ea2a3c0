callhome {
  port           = 65536
  max_handshakes = 0
  max_calls      = 1.5
  max_held       = -1
}

session "edge-1" {
  address = "192.0.2.10"
  port    = 0
}

gateway {
  port = 830
}
