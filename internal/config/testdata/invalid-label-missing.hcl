user {
  username = "netconf"
}

gateway {
  port = 830
}
