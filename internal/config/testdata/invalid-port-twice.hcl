callhome {
  port = 4334
}

session "edge-1" {
  address = "192.0.2.10"
  port    = 20001
}

session "edge-2" {
  address = "192.0.2.11"
  port    = 20001
}

session "edge-3" {
  address = "192.0.2.12"
  port    = 830
}

gateway {
  address = "0.0.0.0"
  port    = 830
}

session "edge-4" {
  address = "192.0.2.13"
  port    = 4334
}
