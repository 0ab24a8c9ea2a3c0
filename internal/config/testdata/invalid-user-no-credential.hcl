user "fleet" {
  username = "netconf"
}

gateway {
  port = 830
}
