'use strict';

const path = require('node:path');
const express = require('express');
const morgan = require('morgan');

module.exports = function createApp() {
  const app = express();
  app.set('views', path.join(__dirname, 'views'));
  app.set('view engine', 'ejs');
  app.disable('x-powered-by');

  app.use(morgan(':method :url :status'));
  app.use('/static', express.static(path.join(__dirname, 'public')));
  app.use(express.json({ limit: '100kb' }));
  app.use(express.urlencoded({ extended: false }));

  app.use('/', require('./routes/pages'));
  app.use('/api', require('./routes/api'));
  app.use('/rare', require('./routes/rare'));

  app.use((request, response) => {
    response.status(404).render('error', { code: 404, text: `There is nothing at ${request.path}` });
  });
  app.use((error, request, response, next) => {
    const code = error.status || 500;
    if (code >= 500) {
      console.error(error.message);
    }
    if (request.path.startsWith('/api/')) {
      response.status(code).json({ error: code < 500 ? error.message : 'failed' });
    } else {
      response.status(code).render('error', { code, text: 'That did not work' });
    }
  });
  return app;
};
