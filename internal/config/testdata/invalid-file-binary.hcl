user "fleet" {
  username = "netconf"
  password = file("keys/binary")
}

gateway {
  port = 830
}
