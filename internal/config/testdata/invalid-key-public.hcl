user "fleet" {
  username    = "netconf"
  private_key = file("keys/plain.pub")
}

gateway {
  port = 830
}
