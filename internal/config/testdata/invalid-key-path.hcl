user "fleet" {
  username    = "netconf"
  private_key = "keys/plain"
}

gateway {
  port = 830
}
