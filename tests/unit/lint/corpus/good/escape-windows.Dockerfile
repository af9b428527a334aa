# escape=`
FROM mcr.example/windows/servercore:ltsc2022@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop';"]
WORKDIR C:\app
COPY app C:\app\
RUN Get-ChildItem C:\app | `
    Select-String needle; `
    Write-Host done
USER ContainerUser
# slim-lint ignore=user-by-name
USER ContainerUser
CMD ["app.exe"]
