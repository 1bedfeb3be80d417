(function(){const c=1;
return c})()
