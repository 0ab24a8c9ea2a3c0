user "fleet" {
  username = "netconf"
  password = file("keys")
}

gateway {
  port = 830
}
