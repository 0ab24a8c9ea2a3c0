callhome {
  trust = "pinned"

  listener "junos" {
    port          = 4434
    device_secret = env("SECRET")
  }

  listener "others" {
    port = 4435
  }
}

session "edge-1" {
  device_id = "edge-1"
  listener  = "others"
}

session "edge-2" {
  device_id = "edge-2"
}

session "edge-3" {
  address   = "192.0.2.3"
  device_id = "edge-3"
  listener  = "junos"
}

session "edge-4" {
  address   = "192.0.2.3"
  device_id = "edge-4"
  listener  = "junos"
}

gateway {
  port = 830
}
