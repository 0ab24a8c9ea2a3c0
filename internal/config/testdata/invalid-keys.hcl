user "fleet" {
  username     = "netconf"
  private_keys = [file("keys/plain"), file("keys/broken"), file("keys/encrypted")]
}

gateway {
  port = 830
}
