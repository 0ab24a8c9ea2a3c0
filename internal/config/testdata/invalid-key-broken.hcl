user "fleet" {
  username    = "netconf"
  private_key = file("keys/broken")
}

gateway {
  port = 830
}
