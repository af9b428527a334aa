# frozen_string_literal: true

require 'net/http'
require 'resolv'
require 'socket'

# What leads out of the house.
module Network
  # A server with a certificate of its own, and a client that trusts it, or does not.
  def self.handshake(trusted:)
    key = OpenSSL::PKey::EC.generate('prime256v1')
    certificate = certificate_of(key)
    plain = TCPServer.new('127.0.0.1', 0)
    server = serve(plain, key, certificate)
    http = Net::HTTP.new('localhost', plain.addr[1])
    http.use_ssl = true
    http.cert_store = OpenSSL::X509::Store.new.tap { |store| trusted ? store.add_cert(certificate) : store.set_default_paths }
    { answer: http.get('/').body }
  rescue OpenSSL::SSL::SSLError => e
    { error: e.message[/certificate verify failed/] || 'another' }
  ensure
    plain&.close
    server&.kill
  end

  def self.certificate_of(key)
    certificate = OpenSSL::X509::Certificate.new
    certificate.version = 2
    certificate.serial = 1
    certificate.subject = certificate.issuer = OpenSSL::X509::Name.parse('/CN=localhost')
    certificate.public_key = key
    certificate.not_before = Time.now - 60
    certificate.not_after = Time.now + 3600
    extensions = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
    certificate.add_extension(extensions.create_extension('subjectAltName', 'DNS:localhost'))
    certificate.sign(key, OpenSSL::Digest.new('SHA256'))
  end

  def self.serve(plain, key, certificate)
    context = OpenSSL::SSL::SSLContext.new
    context.key = key
    context.cert = certificate
    Thread.new do
      connection = OpenSSL::SSL::SSLServer.new(plain, context).accept
      connection.readpartial(4096)
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
      connection.close
    rescue OpenSSL::SSL::SSLError, IOError, SystemCallError
      nil
    end
  end

  def self.names
    { localhost: Addrinfo.getaddrinfo('localhost', nil, :INET).first.ip_address,
      hosts: Resolv::Hosts.new.getaddress('localhost').empty? ? nil : true }
  end
end
