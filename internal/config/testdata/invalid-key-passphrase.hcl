user "fleet" {
  username    = "netconf"
  private_key = file("keys/encrypted")

  private_key_passphrase = env("PASSWORD")
}

gateway {
  port = 830
}
