<?php

return ['about' => 'Über dieses Gästebuch', 'visits' => 'Besuche'];
