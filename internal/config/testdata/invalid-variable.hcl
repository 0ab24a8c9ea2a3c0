state_dir = home

gateway {
  port = 830
}
