user "fleet" {
  username = "netconf"
  password = env("EMPTY")
}

gateway {
  port = 830
}
