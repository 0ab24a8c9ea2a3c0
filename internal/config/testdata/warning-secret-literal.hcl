user "fleet" {
  username = "netconf"
  password = "hunter2"
}

user "old" {
  username    = "admin"
  password    = <<-EOT
    hunter2
  EOT
  private_key = file("keys/encrypted")

  private_key_passphrase = "${"correct"} horse"
}

gateway {
  port = 830
}
