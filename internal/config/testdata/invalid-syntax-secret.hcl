user "fleet" {
  username = "netconf"
  password = "hunter2
}

gateway {
  port = 830
}
