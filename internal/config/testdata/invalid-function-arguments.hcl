state_dir = env("STATE", "/tmp")

gateway {
  port = 830
}
