user "fleet" {
  username    = "netconf"
  private_key = file("keys/encrypted")
}

gateway {
  port = 830
}
