user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}


session "edge-1" {
  address = "192.0.2.10"
  user    = "fleeet"
}

gateway {
  port = 830
}
