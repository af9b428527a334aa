# frozen_string_literal: true

require 'csv'

module Exports
  # For spreadsheets.
  class Csv
    TYPE = 'text/csv;charset=utf-8'

    def self.of(recipes)
      CSV.generate(col_sep: ';') do |table|
        table << %w[id title steps]
        recipes.each { |recipe| table << recipe.values_at('id', 'title', 'steps') }
      end
    end
  end
end
