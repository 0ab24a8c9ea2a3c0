user "fleet" "old" {
  username = "netconf"
}

gateway {
  port = 830
}
