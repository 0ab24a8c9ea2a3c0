state_dir = environment("STATE")

gateway {
  port = 830
}
