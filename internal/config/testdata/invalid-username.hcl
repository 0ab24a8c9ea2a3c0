user "fleet" {
  username = ""
  password = env("PASSWORD")
}

user "old" {
  username = "a\nb"
  password = env("PASSWORD")
}

gateway {
  port = 830
}
