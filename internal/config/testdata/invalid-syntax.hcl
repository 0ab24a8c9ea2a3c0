callhome {
  enabled true
}

gateway {
  port = 830
}
