state_dir = ""

gateway {
  port = 830
}
