# frozen_string_literal: true

require 'rexml/document'

module Exports
  # For other programs.
  class Xml
    TYPE = 'application/xml;charset=utf-8'

    def self.of(recipes)
      document = REXML::Document.new('<?xml version="1.0" encoding="UTF-8"?><recipes/>')
      recipes.each { |recipe| document.root.add_element('recipe', 'id' => recipe['id'].to_s).text = recipe['title'] }
      text = +''
      document.write(text)
      "#{text}\n<!-- #{REXML::XPath.match(document, '//recipe').size.positive?} -->\n"
    end
  end
end
