# expect: SL002 SL023 SL033
FROM node:latest
RUN npm install --global serve left-pad@1.3.0 @scope/tool
USER 1000
CMD ["serve"]
