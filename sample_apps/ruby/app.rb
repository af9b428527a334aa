# frozen_string_literal: true

require 'digest'
require 'json'
require 'openssl'
require 'sinatra/base'
require 'tzinfo'

require_relative 'lib/recipes'

# Recipes: pages, a JSON interface, uploads.
class App < Sinatra::Base
  set :root, __dir__
  set :public_folder, File.join(__dir__, 'public')
  set :show_exceptions, false
  set :raise_errors, false
  set :dump_errors, false
  # Any name may reach a container; what is in front of it decides.
  set :protection, except: :host_authorization

  recipes = Recipes.new(File.join(__dir__, 'data', 'recipes.db'))

  helpers do
    def h(text)
      Rack::Utils.escape_html(text)
    end

    def json(value, code = 200)
      status code
      content_type :json
      "#{JSON.generate(value)}\n"
    end
  end

  before { puts "#{request.request_method} #{request.path_info}" }

  get '/' do
    @recipes = recipes.all
    erb :index
  end

  get '/recipes/:id' do
    @recipe = recipes.find(params[:id].to_i) or halt 404
    erb :recipe
  end

  post '/recipes' do
    halt 422 if params[:title].to_s.strip.empty?
    redirect "/recipes/#{recipes.add(params[:title], params[:steps].to_s)}", 303
  end

  get '/healthz' do
    json(status: 'ok', recipes: recipes.all.length)
  end

  get '/api/recipes' do
    json(recipes.all)
  end

  post '/api/recipes' do
    data = JSON.parse(request.body.read)
    return json({ error: 'a title is needed' }, 422) unless data.is_a?(Hash) && data['title'].is_a?(String)

    id = recipes.add(data['title'], data['steps'].to_s)
    headers 'Location' => "/recipes/#{id}"
    json(recipes.find(id), 201)
  rescue JSON::ParserError
    json({ error: 'that is no JSON' }, 400)
  end

  get '/api/time' do
    zone = TZInfo::Timezone.get(params.fetch('zone', 'UTC'))
    moment = zone.to_local(Time.at(params.fetch('at', '0').to_i))
    json(time: moment.strftime('%Y-%m-%dT%H:%M:%S%:z'), zone: moment.strftime('%Z'))
  rescue TZInfo::InvalidTimezoneIdentifier
    json({ error: 'no such time zone' }, 400)
  end

  get '/api/text' do
    text = params.fetch('text', '')
    json(upper: text.upcase, latin1: text.encode('ISO-8859-1', undef: :replace).unpack1('H*'),
         normalized: text.unicode_normalize(:nfd).length)
  end

  get '/api/trust' do
    json(authorities: File.readable?(OpenSSL::X509::DEFAULT_CERT_FILE), tls: OpenSSL::SSL::TLS1_3_VERSION)
  end

  post '/api/upload' do
    file = params[:file] or return json({ error: 'a file is needed' }, 400)
    data = file[:tempfile].read
    json(name: file[:filename], size: data.bytesize, sha256: Digest::SHA256.hexdigest(data))
  end

  get '/about' do
    require 'yaml'
    language = request.env['HTTP_ACCEPT_LANGUAGE'].to_s[0, 2]
    file = File.join(__dir__, 'locales', "#{language}.yml")
    file = File.join(__dir__, 'locales', 'en.yml') unless language =~ /\A[a-z]{2}\z/ && File.file?(file)
    @words = YAML.safe_load_file(file).values.first
    erb :about
  end

  # Each kind of export is loaded when it is first asked for.
  get '/export/:kind' do
    name = params[:kind]
    halt 404 unless name =~ /\A[a-z]+\z/ && File.file?(File.join(__dir__, 'lib', 'exports', "#{name}.rb"))
    require_relative "lib/exports/#{name}"
    kind = Exports.const_get(name.capitalize)
    content_type kind::TYPE
    kind.of(recipes.all)
  end

  post '/api/decode' do
    charset = params.fetch('charset', 'UTF-8')
    json(text: request.body.read.force_encoding(charset).encode('UTF-8'))
  rescue ArgumentError, EncodingError
    json({ error: 'cannot be read' }, 400)
  end

  get '/api/handshake' do
    require_relative 'lib/network'
    json(Network.handshake(trusted: params['trusted'] == 'yes'))
  end

  get '/api/names' do
    require_relative 'lib/network'
    json(Network.names)
  end

  get '/api/packed' do
    require 'open3'
    packed, = Open3.capture2('gzip', '--no-name', '--stdout', stdin_data: params.fetch('text', ''))
    json(size: packed.bytesize)
  end

  get '/broken' do
    raise 'broken on purpose'
  end

  not_found do
    @text = "There is nothing at #{request.path_info}"
    erb :error
  end

  error 422 do
    @text = 'A title is needed'
    erb :error
  end

  error do
    warn env['sinatra.error'].message
    @text = 'That did not work'
    erb :error
  end
end
