# frozen_string_literal: true

require 'net/http'

exit Net::HTTP.get_response(URI('http://127.0.0.1:9292/healthz')).is_a?(Net::HTTPOK)
