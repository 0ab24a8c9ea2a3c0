user "fleet" {
  username           = "netconf"
  password           = env("PASSWORD")
  first_use_password = true
}

gateway {
  port = 830
}
