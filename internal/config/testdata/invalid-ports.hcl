gateway {
  ports = "29999-20000"
}
