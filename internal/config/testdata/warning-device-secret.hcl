callhome {
  device_secret = env("PASSWORD")

  listener "routers" {
    port          = 4434
    device_secret = env("SECRET")
  }
}

session "edge-1" {
  device_id     = "edge-1"
  device_secret = file("keys/password")
}

gateway {
  port = 830
}
