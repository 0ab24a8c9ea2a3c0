callhome {
  trust = "first-use"
}

user "fleet" {
  username           = "netconf"
  password           = env("PASSWORD")
  first_use_password = true
}

user "key" {
  username           = "netconf"
  private_key        = file("keys/plain")
  first_use_password = true
}

gateway {
  port = 830
}
