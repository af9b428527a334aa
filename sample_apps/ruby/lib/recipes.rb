# frozen_string_literal: true

require 'sqlite3'

# Recipes in a SQLite file.
class Recipes
  def initialize(path)
    @database = SQLite3::Database.new(path, results_as_hash: true)
    @database.execute('CREATE TABLE IF NOT EXISTS recipe (id INTEGER PRIMARY KEY, title TEXT, steps TEXT)')
    @lock = Mutex.new
  end

  def add(title, steps)
    @lock.synchronize do
      @database.execute('INSERT INTO recipe (title, steps) VALUES (?, ?)', [title, steps])
      @database.last_insert_row_id
    end
  end

  def all
    @lock.synchronize { @database.execute('SELECT id, title, steps FROM recipe ORDER BY id') }
  end

  def find(id)
    @lock.synchronize { @database.execute('SELECT id, title, steps FROM recipe WHERE id = ?', [id]).first }
  end
end
