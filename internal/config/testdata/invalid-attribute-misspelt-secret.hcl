user "fleet" {
  username = "netconf"
  pasword  = "hunter2"
}

gateway {
  port = 830
}
