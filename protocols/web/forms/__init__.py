"""What answers and bodies look like: media types, data sets as JSON and XML, multipart, ranges, validators. Pure."""
