# frozen_string_literal: true

require 'yaml'
require 'bigdecimal'
require 'bigdecimal/util'

module Exports
  # For people.
  class Yaml
    TYPE = 'text/plain;charset=utf-8'

    def self.of(recipes)
      YAML.dump('titles' => recipes.map { |recipe| recipe['title'] }, 'price' => '12.50'.to_d.round(1).to_s('F'))
    end
  end
end
