user "fleet" {
  username = env("NOT_SET")
  password = "${env("NOT_SET")}-1"
}

gateway {
  port = 830
}
