user "fleet" {
  username    = "netconf"
  private_key = file("keys/putty")
}

gateway {
  port = 830
}
