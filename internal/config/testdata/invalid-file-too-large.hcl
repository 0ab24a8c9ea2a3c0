user "fleet" {
  username = "netconf"
  password = file("keys/large")
}

gateway {
  port = 830
}
