user "fleet" {
  username    = "netconf"
  private_key = file("keys/missing")
}

gateway {
  port = 830
}
