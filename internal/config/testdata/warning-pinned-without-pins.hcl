callhome {
  trust = "pinned"

  listener "junos" {
    port          = 4340
    device_secret = file("keys/secret")
  }

  listener "plain" {
    port = 4341
  }
}

session "edge-1" {
  address = "192.0.2.10"
}

session "edge-2" {
  device_id = "edge-2"
  listener  = "junos"
}

session "edge-3" {
  device_id = "edge-3"
  listener  = "plain"
}

gateway {
  port = 830
}
