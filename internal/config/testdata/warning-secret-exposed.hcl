user "fleet" {
  username    = "netconf"
  private_key = file("keys/exposed")
}

gateway {
  port      = 830
  host_keys = ["keys/exposed"]
}
