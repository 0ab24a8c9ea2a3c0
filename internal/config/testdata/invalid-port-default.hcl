gateway {
  port = 4334
}
