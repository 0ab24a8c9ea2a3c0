callhome {
  device_secret = env("EMPTY")
}

session "edge-1" {
  device_id = "edge-1"
}

session "edge-2" {
  address       = "192.0.2.2"
  device_secret = env("SECRET")
}

session "edge-3" {
  device_id     = "edge-1"
  device_secret = env("SECRET")
}

session "edge-4" {
  address   = "192.0.2.4"
  device_id = "a\u001bb"
}

session "edge-6" {
  device_id = "edge-6 "
}

session "edge-5" {
  transport     = "tls"
  device_id     = "edge-5"
  device_secret = env("SECRET")
}

gateway {
  port = 830
}
