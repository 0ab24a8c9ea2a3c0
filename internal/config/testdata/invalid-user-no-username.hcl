user "fleet" {
  password = env("PASSWORD")
}

gateway {
  port = 830
}
