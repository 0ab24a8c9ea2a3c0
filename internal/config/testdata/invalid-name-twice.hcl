user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}


user "fleet" {
  username = "other"
  password = env("PASSWORD")
}

session "edge-1" {
  address = "192.0.2.10"
}

session "EDGE-1" {
  address = "192.0.2.11"
}

manager "noc" {
  password_hash = env("HASH")
  devices       = ["*"]
}

manager "noc" {
  password_hash = env("HASH")
  devices       = ["*"]
}

gateway {
  port = 830
}
