<?php

return ['about' => 'About this guest book', 'visits' => 'Visits'];
